"""The lessons: one folder per chapter, the single source of everything in notebooks/."""
