-- The audit trail of a room, ascending.
-- KEYS 1 audit trail (a stream)
-- ARGV 1 after this id   2 limit   3 bytes of notes after which the answer ends early
-- Returns { 1, there are more, entry, … } as audit_after in lib/audit_page.lua
return audit_after({ 1, 0 }, KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]))
