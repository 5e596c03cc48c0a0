-- Announces whose presence has changed; and those whose last connection was lost longer than the grace ago, once.
-- KEYS all nine of lib/sos.lua   10 scope:due
-- ARGV 1–13 as in lib/sos.lua   14 grace (ms; '' asks for nobody)   15 presence window (ms)
-- Returns { 'ok' or 'nothing', …, ms until somebody else is due or -1 (the timer `offline` is set to then),
--         ms to the end of the presence window or -1 }
all_keys()
local first = open(KEY, 7)
if first then return first end
local state = call('HGET', STATE, 'status')
local gone, wait, grace = {}, -1, tonumber(ARGV[14])
due_open(KEYS[10])
if FINAL[state] then
  if grace then due_clear('offline') end
  return answer('nothing', -1, -1)
end
if grace then
  gone, wait = show_gone(grace)
  if state then
    for _, lost in ipairs(gone) do audit('leave', 'connection lost', nil, nil, { lost.user, lost.entry.role, '' }) end
    all_last_to_outbox(gone)
  end
end
-- Not more often than there are announcements: each look is over all members.
if grace then wait = wait < 0 and due_clear('offline') or due_at('offline', now + math.max(wait + 1, tonumber(ARGV[15]))) end
-- A user with other sockets was never due; once nobody is, what was noted of it goes out.
local rest = grace and wait < 0 and has_notes()
local window = presence(ARGV[15], #gone > 0 or rest)
if #gone == 0 and least < 0 then
  if epoch then commit() end
  return answer('nothing', wait, window)
end
return done(answer('ok', wait, window))
