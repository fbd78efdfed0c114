"""What differs between runtimes: the I2C bus, the console's byte stream, the clock, the reset cause."""
