-- start-interview: the first question is asked, once.
-- KEYS all of lib/session
-- ARGV 1–8 as in lib/session   9 question, JSON   10 its id   11 its text, JSON   12 progress, JSON
-- Returns { 'started' or 'active' (it was started before), …, resumed, ms until the timer that this call has set or -1, session }
--         or a refusal
local first = open(USER, DUPLICATE)
if first then return #first == DUPLICATE and first or with_session(first) end
load()
due_open(KEYS[7])
local refused = refusal()
if refused then return refuse(refused) end
local resumed = resume()
local outcome = 'active'
if state == 'created' then
  outcome = 'started'
  move('active')
  alive()
  pos = 1
  set('started', now)
  set('pos', 1)
  set('asked', ARGV[9])
  set('qid', ARGV[10])
  set('askt', now)
  set('progress', ARGV[12])
  set('q:' .. ARGV[10], 1)
  tell(CANDIDATE, 'question', ARGV[9])
  observed('interview-started', stamped('"firstQuestion":' .. ARGV[11]))
end
return with_session(done(outcome, resumed and 1 or 0, due_in))
