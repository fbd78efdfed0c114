#!/bin/sh
# A test bench in one line: is the board at this port who it says it is, and still trusted?
# sh verify_board.sh PORT                    HRI_HOME names the CA's folder
hri authenticate --port "$1" && echo "ship it"
