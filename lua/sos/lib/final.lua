-- Shared: the statuses that end an SOS, as in rules.rs.
local FINAL = { cancelled = true, rejected = true, fake = true, closed = true }
