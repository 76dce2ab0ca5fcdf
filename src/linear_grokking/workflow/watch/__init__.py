"""How far a build is: what it set out to make, its pace, a line on the terminal, and `watch`."""
