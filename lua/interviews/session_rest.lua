-- Whether something is to be done for an interview: an answer to be finished, audio without final text, proctoring that is not stored,
-- a summary to be told. The timer `work` is set to when to look again, or cleared; audio of a session that has ended is dropped.
-- KEYS all of lib/session
-- ARGV 1–8 as in lib/session   9 when to look again (ms)
-- Returns { 'work' or 'idle', …, ms until the timer is due again or -1 }
-- Safe to repeat by itself.
open('', DUPLICATE)
load()
due_open(KEYS[7])
local f = call('HMGET', SESSION, 'heard', 'ph', 'pt', 'summary')
local newest = state and call('XREVRANGE', AUDIO, '+', '-', 'COUNT', 1)[1]
local unheard = newest and older(f[1] or '0-0', newest[1])
local unstored = tonumber(f[2] or 1) <= tonumber(f[3] or 0)
local ended = state and FINAL[state]
if ended and not answering then
  if newest then call('XTRIM', AUDIO, 'MAXLEN', 0) end
  unheard = false
end
if state and (answering or unheard or unstored or state == 'completed' and not f[4]) then
  -- In a paused session nobody waits for what is left to do, but for an answer.
  local wait = tonumber(ARGV[9])
  if state == 'paused' and not answering then wait = math.max(wait, 60000) end
  arm('work', now + wait)
  return answer('work', due_in)
end
due_clear('work')
return answer('idle', -1)
