//! Replays the recorded answers and the rules.
