-- The connection of a socket of the candidate was lost, or it has left: if it is the present one, the session is paused, at once or
-- once the grace is over.
-- KEYS all of lib/session
-- ARGV 1–8 as in lib/session   9 node   10 session epoch   11 lost at (ms, 0: now; '' it has left)   12 grace (ms)
-- Returns { 'ok', …, paused, ms until the timer that this call has set or -1 }, or { 'nothing', … } if it was no member of this node
--         and session epoch
local first = open(USER, DUPLICATE)
if first then return first end
load()
due_open(KEYS[7])
local left, at = ARGV[11] == '', tonumber(ARGV[11]) or 0
if at == 0 or at > now then at = now end
if not member_drop(SID, ARGV[9], ARGV[10], at, left) then return refuse('nothing') end
local paused = false
if state and not FINAL[state] and present == SID then
  if left then
    paused = pause('disconnect')
  else
    set('lost', at)
    arm_by('absent ' .. SID, at + ARGV[12])
  end
end
return done('ok', paused and 1 or 0, due_in)
