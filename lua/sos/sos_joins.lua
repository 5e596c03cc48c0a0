-- Writes to the trail and the outbox some of the joins of members that were there before the state.
-- KEYS all nine of lib/sos.lua
-- ARGV 1–13 as in lib/sos.lua
-- Returns { 'ok' or 'nothing', …, there are more }
all_keys()
local first = open(KEY, 7)
if first then return first end
local left = call('HGET', META, 'jw') or ''
if left == '' or call('HEXISTS', STATE, 'status') == 0 then return answer('nothing', 0) end
return done(answer('ok', tell_joins(left) and 1 or 0))
