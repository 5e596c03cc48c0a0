-- The SOS was not acknowledged in time: tells watchers and the SOS service, once.
-- KEYS all nine of lib/sos.lua   10 scope:due
-- ARGV 1–13 as in lib/sos.lua   14 deadline after the beginning (ms)
-- Returns { 'ok', … }; { 'wait', …, ms }, and the timer `ack` is set to then; { 'nothing', … } or { 'missing' }
all_keys()
local first = open(KEY, 7)
if first then return first end
local state = call('HMGET', STATE, 'status', 'ackAt', 'unack', 'since')
due_open(KEYS[10])
local left = state[1] and not FINAL[state[1]] and not state[2] and not state[3] and tonumber(state[4]) + ARGV[14] - now
if left and left > 0 then return answer('wait', due_at('ack', now + left)) end
due_clear('ack')
if not state[1] then return { 'missing' } end
if not left then return answer('nothing') end
call('HSET', STATE, 'unack', now)
local data = '{"sosId":"' .. SOS .. '","status":"' .. state[1] .. '","timestamp":' .. now .. '}'
copy_for_watchers(now .. '-0u', '* - - -\n["sos:unacknowledged",' .. data .. ']')
outbox('sos:unacknowledged', '', data)
return done(answer('ok'))
