-- The last answer is finished and stored: the session is completed.
-- KEYS all of lib/session
-- ARGV 1–8 as in lib/session   9 position   10 progress, JSON   11 score, JSON   12 evaluation, JSON
--      13 turns that are stored
-- Returns { 'ok', …, ms until the timer that this call has set or -1 }; { 'past', … }; { 'no_answer', … };
--         { 'more_turns', … } store those first; or a refusal. A session that has ended lets go of the answer.
local first = open(USER, DUPLICATE)
if first then return first end
load()
due_open(KEYS[7])
local refused = unfinished(tonumber(ARGV[9]), tonumber(ARGV[13]))
if refused then return refuse(refused, -1) end
finish()
if FINAL[state] then return done('ended', -1) end
move('completed')
set('ended', now)
set('progress', ARGV[10])
for _, row in ipairs({ 'absent', 'absent ' .. present, 'heartbeat' }) do due_clear(row) end
observed('progress-update', progress_of(ARGV[10], ARGV[11], ARGV[12]))
tell_complete()
work()
return done('ok', due_in)
