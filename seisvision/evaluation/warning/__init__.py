"""What is known of earthquakes while they arrive: who says what after how many seconds, and how right it is."""
