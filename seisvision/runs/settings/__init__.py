"""What configuration asks for, before anything is built of it: in typed values, and refused where it does not fit."""
