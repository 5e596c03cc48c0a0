-- A member shows its screen to the others in a call, or shows it no longer.
-- KEYS 1 scope:meta   2 scope:log   3 scope:members   4 interview:call
-- ARGV 1–11 as in rooms/lib/room.lua (2: its clientMessageId)   12 it shows it ('1' or '')
-- Returns { 'ok', …, unchanged }, { 'full', … } too many do so, or { 'not_member', … }
LOG, MEMBERS, CALL = KEYS[2], KEYS[3], KEYS[4]
local first = open(KEY, DUPLICATE)
if first then return first end
local from = call('HEXISTS', MEMBERS, SID) == 1 and place(SID)
if not from then return answer('not_member') end
local active = ARGV[12] == '1'
if active == (call('HEXISTS', CALL, 'x:' .. SID) == 1) then return answer('ok', 1) end
if active then
  local screens = 0
  for _, field in ipairs(call('HKEYS', CALL)) do
    if string.sub(field, 1, 2) == 'x:' then screens = screens + 1 end
  end
  if screens >= MOST_SCREENS then return answer('full') end
  call('HSET', CALL, 'x:' .. SID, 1)
else
  call('HDEL', CALL, 'x:' .. SID)
end
publish('* ' .. SID .. ' - -\n["screen:share",' .. screen_json(SID, from.identity, active) .. ']')
live_on(CALL)
return done(answer('ok', 0))
