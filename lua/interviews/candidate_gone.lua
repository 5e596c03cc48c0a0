-- A timer asks whether the candidate is gone: then the session is paused. The timer is cleared, or set to when to look again.
-- KEYS all of lib/session
-- ARGV 1–8 as in lib/session (8: the socket of the timer `absent`, '' of that which was set for a dead node)
--      9 reason: disconnect, node-lost or heartbeat   10 grace (ms)
-- Returns { 'ok', …, paused, ms until the timer is due again or -1 }
local first = open(USER, DUPLICATE)
if first then return first end
load()
due_open(KEYS[7])
local row, since = 'heartbeat', beat
local grace = tonumber(ARGV[10])
if ARGV[9] == 'heartbeat' then
  grace = patience
elseif ARGV[9] == 'disconnect' then
  row = 'absent ' .. SID
  since = present == SID and lost or nil
else
  row = 'absent'
  since = nil
  -- Who has cut the memberships of a dead node knows nothing of this state.
  if state and call('HEXISTS', MEMBERS, present) == 0 then
    local entry = user_entry(call('HGET', SESSION, 'uk') or '')
    since = lost or entry and entry.seen or now
    if not lost then set('lost', since) end
  end
end
if state ~= 'active' or not since then
  due_clear(row)
  return done('ok', 0, -1)
end
if now < since + grace then
  arm(row, since + grace)
  return done('ok', 0, due_in)
end
due_clear(row)
pause(ARGV[9])
return done('ok', 1, -1)
