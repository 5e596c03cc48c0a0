-- A signal from a member to the others, to one socket, or to one user.
-- KEYS all nine of lib/sos.lua
-- ARGV 1–13 as in lib/sos.lua   14 to: socket or user ('' the others)   15 its user key   16 lengths of attachments ('-' none)
--      17 args array and attachments
-- Returns { 'ok' or 'nobody', … } or a refusal
all_keys()
local first = open(KEY, 7)
if first then return first end
local state = call('HMGET', STATE, 'status', 'adm:' .. KEY)
if not state[1] then return { 'missing' } end
if not rights(ROLE, NAMED, state[2]) then return refuse('forbidden', 'signal') end
if FINAL[state[1]] then return refuse('closed', 'signal') end
if call('HEXISTS', MEMBERS, SID) == 0 then return refuse('not_member', 'signal') end
if not relay(ARGV[14], ARGV[15], ARGV[16], ARGV[17]) then return answer('nobody') end
return done(answer('ok'))
