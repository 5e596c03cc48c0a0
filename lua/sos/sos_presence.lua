-- Announces users whose presence has changed, and, once, users whose last connection was lost longer than the grace ago.
-- KEYS all nine of lib/sos.lua   10 scope:due
-- ARGV 1–13 as in lib/sos.lua   14 grace (ms; '' only changes)   15 presence window (ms)
-- Returns { 'ok' or 'nothing', …, ms until another user is due or -1 (the timer `offline` is set to then),
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
-- Not more often than presence is announced, since each call looks at all members.
if grace then wait = wait < 0 and due_clear('offline') or due_at('offline', now + math.max(wait + 1, tonumber(ARGV[15]))) end
-- A user with other sockets is never due. When no user is due any more, what was noted of it is announced.
local rest = grace and wait < 0 and has_notes()
local window = presence(ARGV[15], #gone > 0 or rest)
if #gone == 0 and least < 0 then
  if epoch then commit() end
  return answer('nothing', wait, window)
end
return done(answer('ok', wait, window))
