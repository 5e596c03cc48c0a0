//! What the rooms of every feature share. It knows scopes and their members, and no feature.

pub mod timers;
