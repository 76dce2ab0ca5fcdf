"""How far a build is: its planned jobs, its pace, a line on the terminal, and `watch`."""
