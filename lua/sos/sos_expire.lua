-- The sweep: ends a state that was last written so long ago. Renews the TTLs of one that lives.
-- KEYS all nine of lib/sos.lua   10 scope:due
-- ARGV 1–13 as in lib/sos.lua   14 idle (ms)
-- Returns { 'ok', … } ended by this call; { 'wait', …, ms, provisional, whether sos_joins has something to do }; { 'ended', … };
--         { 'missing' }
all_keys()
local first = open(KEY, 7)
if first then return first end
local state = call('HMGET', STATE, 'status', 'touched', 'prov')
if not state[1] then return { 'missing' } end
if FINAL[state[1]] then return answer('ended') end
local touched = math.max(tonumber(state[2]), tonumber(call('HGET', LOCATION, 't') or 0))
local left = touched + ARGV[14] - now
if left > 0 then
  keep(touched, META, LOG, MEMBERS, STATE, LOCATION, TRACK, MESSAGES, EVENTS)
  commit()
  due_open(KEYS[10])
  due_ensure()
  return answer('wait', left, state[3] and 1 or 0, (call('HGET', META, 'jw') or '') ~= '' and 1 or 0)
end
finish('closed', state[1], 'system', 'expired', nil, true)
local result = done(answer('ok'))
last_hour()
return result
