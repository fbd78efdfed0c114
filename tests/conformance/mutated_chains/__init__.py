"""Good chains of the shape that our authorities make, and what happens to them when one thing is changed."""
