-- Appends one line to the audit trail of a room.
-- KEYS 1 scope:meta   2 audit trail (a stream)
-- ARGV 1 user   2 role   3 socket   4 source   5 event   6 note   7 status   8 old status   9 a refusal ('1' or '')
-- Returns { 1 }
STATE, EVENTS = KEYS[1], KEYS[2]
USER, ROLE, SID, SOURCE = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
clock()
if ARGV[9] == '1' then
  audit_refusal(ARGV[5] .. ' ' .. ARGV[6], nil, ARGV[7], ARGV[8])
else
  audit(ARGV[5], ARGV[6], ARGV[7], ARGV[8])
end
for _, key in ipairs(KEYS) do
  if call('PTTL', key) < KEEP_MS - 3600000 then call('PEXPIRE', key, KEEP_MS) end
end
return { 1 }
