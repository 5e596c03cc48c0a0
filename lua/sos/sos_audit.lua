-- Appends a refusal to the audit trail, if there is a state.
-- KEYS 1 sos:state   2 sos:events
-- ARGV 1 user   2 role   3 socket   4 source   5 event   6 code
-- Returns { appended }
if call('EXISTS', KEYS[1]) == 0 then return { 0 } end
STATE, EVENTS, SOURCE = KEYS[1], KEYS[2], ARGV[4]
clock()
audit_refusal(ARGV[5] .. ' ' .. ARGV[6], { ARGV[1], ARGV[2], ARGV[3] })
return { 1 }
