-- A provisional SOS was looked up, and there is no record: two answers 404 in a row end it.
-- KEYS all nine of lib/sos.lua
-- ARGV 1–13 as in lib/sos.lua   14 the answer was 404 ('1'), or none that says anything ('')
-- Returns { 'ok', … } ended by this call; { 'wait', … }; { 'nothing', … } not provisional (any more), or over; { 'missing' }
all_keys()
local first = open(KEY, 7)
if first then return first end
local state = call('HMGET', STATE, 'status', 'prov', 'nf')
if not state[1] then return { 'missing' } end
if not state[2] or FINAL[state[1]] then return answer('nothing') end
if ARGV[14] ~= '1' then
  call('HDEL', STATE, 'nf')
  return answer('wait')
end
if not state[3] then
  call('HSET', STATE, 'nf', 1)
  return done(answer('wait'))
end
finish('closed', state[1], 'system', 'unknown')
local result = done(answer('ok'))
last_hour()
return result
