-- response-complete: the answer to the open question, kept until a node has finished it.
-- KEYS all of lib/session
-- ARGV 1–8 as in lib/session   9 question id ('' the open one)   10 transcription   11 audioUrl
-- Returns { 'ok', …, position, resumed, ms until the timer that this call has set or -1 }; { 'repeated', … };
--         { 'other_question', … } that question was not asked; or a refusal
local RESEND_MS = 10000
local first = open(USER, DUPLICATE)
if first then return first end
load()
due_open(KEYS[7])
local refused = refusal()
local f = state and call('HMGET', SESSION, 'qid', 'askt', 'joined', 'am', 'lq', 'lt', 'lu', 'q:' .. ARGV[9]) or {}
local asked_at = tonumber(f[8])
local is_same = f[5] and f[6] == ARGV[10] and f[7] == ARGV[11]
-- The answer before, sent once more. Two answers without a word are equal and may both be meant: then it is a repeat only soon after
-- the question went out or the candidate came back, and if nothing was said since.
if is_same and ARGV[9] == '' and ARGV[10] == '' and ARGV[11] == '' and refused ~= 'ended' then
  local since = math.max(tonumber(f[2] or 0), tonumber(f[3] or 0))
  is_same = now - since < RESEND_MS and tonumber(f[4] or 0) == 0
end
if refused == 'ended' and state == 'completed' and (asked_at or is_same and ARGV[9] == '') then return refuse('repeated') end
refused = refused or state == 'created' and 'not_active'
if refused then return refuse(refused) end
if ARGV[9] ~= '' and not asked_at then return refuse('other_question') end
if answering or asked_at and asked_at < pos or ARGV[9] == '' and is_same then
  local resumed = resume()
  return done('repeated', pos, resumed and 1 or 0, due_in)
end
local resumed = resume()
local newest = call('XREVRANGE', AUDIO, '+', '-', 'COUNT', 1)[1]
set('aq', f[1])
set('at', ARGV[10])
set('au', ARGV[11])
set('aa', now)
set('cut', newest and newest[1] or '0-0')
ensure()
work()
return done('ok', pos, resumed and 1 or 0, due_in)
