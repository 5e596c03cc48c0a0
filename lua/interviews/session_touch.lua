-- An event of the candidate that does nothing else here, or its heartbeat: a paused session is active again.
-- KEYS all of lib/session
-- ARGV 1–8 as in lib/session   9 a heartbeat ('1' or '')   10 so long after its last heartbeat it is gone (ms)
-- Returns { 'ok', …, state, resumed, ms until the timer that this call has set or -1 } or a refusal
-- Safe to repeat by itself.
open('', DUPLICATE)
load()
due_open(KEYS[7])
local refused = refusal()
if refused then return answer(refused) end
if ARGV[9] == '1' then
  beat, patience = now, tonumber(ARGV[10])
  set('hl', ARGV[10])
  alive()
end
local resumed = resume()
save()
keep(now, META, LOG, MEMBERS, SESSION, TRAIL, AUDIO)
commit()
return answer('ok', state, resumed and 1 or 0, due_in)
