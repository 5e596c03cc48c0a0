-- Nobody has seen the SOS in time: tells watchers and the SOS service, once.
-- KEYS all nine of lib/sos.lua
-- ARGV 1–13 as in lib/sos.lua   14 deadline after the beginning (ms)
-- Returns { 'ok', … }; { 'wait', …, ms }; { 'nothing', … } or { 'missing' }
all_keys()
local first = open(KEY, 7)
if first then return first end
local state = call('HMGET', STATE, 'status', 'ackAt', 'unack', 'since')
if not state[1] then return { 'missing' } end
if FINAL[state[1]] or state[2] or state[3] then return answer('nothing') end
local left = tonumber(state[4]) + ARGV[14] - now
if left > 0 then return answer('wait', left) end
call('HSET', STATE, 'unack', now)
local data = '{"sosId":"' .. SOS .. '","status":"' .. state[1] .. '","timestamp":' .. now .. '}'
owe_body(now .. '-0u', '* - - -\n["sos:unacknowledged",' .. data .. ']')
outbox('sos:unacknowledged', '', data)
return done(answer('ok'))
