-- A session ends otherwise than by its last answer.
-- KEYS all of lib/session
-- ARGV 1–8 as in lib/session   9 to: completed, expired or cancelled
-- Returns { 'over' or 'unchanged' (it has ended before) or 'missing', …, ms until the timer that this call has set or -1 }
-- Those who observe hear of an expired or cancelled one, also if its live state is lost.
local first = open(USER, DUPLICATE)
if first then return first end
load()
due_open(KEYS[7])
if state and FINAL[state] then return refuse('unchanged', -1) end
local interrupted = stamped('"reason":"' .. ARGV[9] .. '"')
if not state then
  if epoch and ARGV[9] ~= 'completed' then tell(OBSERVER, 'interview-interrupted', interrupted) end
  return refuse('missing', -1)
end
move(ARGV[9])
set('ended', now)
for _, row in ipairs({ 'absent', 'absent ' .. present, 'heartbeat' }) do due_clear(row) end
if state == 'completed' then
  tell_complete()
else
  observed('interview-interrupted', interrupted)
end
arm('work', now)
return done('over', due_in)
