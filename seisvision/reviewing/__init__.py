"""Labels under review: scores from networks that never saw them, a queue, decisions of people, and learning again."""
