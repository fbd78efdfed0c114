"""Driver of the Microchip ATECC608A and ATECC608B: packet, session, commands, element."""
