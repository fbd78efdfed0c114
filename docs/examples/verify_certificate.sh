#!/bin/sh
# A certificate alone, in one line and without hri; whoever shows it has yet to prove that it has the key.
# hri ca export --root > root.pem;  hri ca export --chain > chain.pem;  hri ca export --crl > crl.pem
# sh verify_certificate.sh device.pem
openssl verify -CAfile root.pem -untrusted chain.pem -CRLfile crl.pem -crl_check -purpose sslclient "$1"
