-- A chunk of what the candidate says: kept in interview:audio before it is acknowledged.
-- KEYS all of lib/session
-- ARGV 1–8 as in lib/session   9 audio   10 how long it is (ms)   11 chunks a second   12 ms of audio a second   13 burst (ms)
--      14 most audio of one answer (ms)
-- Returns { 'ok', …, id, resumed, ms until the timer that this call has set or -1 }; { 'limited', … }; { 'too_long', … };
--         { 'after_last', … } the last question is answered; or a refusal
-- What comes while an answer is being finished belongs to the next question.
local first = open(USER, DUPLICATE)
if first then return first end
load()
due_open(KEYS[7])
local refused = refusal() or state == 'created' and 'not_active'
if refused then return refuse(refused) end
if answering and pos >= total then return refuse('after_last') end
local f = call('HMGET', SESSION, 'rc', 'ra', answering and 'an' or 'am')
local ms, burst = tonumber(ARGV[10]), tonumber(ARGV[13])
-- Two rates as in http/limit_take: each says until when what was used lasts; far ahead, Redis' clock was set back.
local chunks = math.min(math.max(tonumber(f[1] or 0), now), now + burst) + 1000 / ARGV[11]
local audio = math.min(math.max(tonumber(f[2] or 0), now), now + burst) + ms * 1000 / ARGV[12]
if chunks > now + burst or audio > now + burst * 1000 / ARGV[12] then return refuse('limited') end
local length = tonumber(f[3] or 0) + ms
if length > tonumber(ARGV[14]) then return refuse('too_long') end
local resumed = resume()
set('rc', string.format('%.3f', chunks))
set('ra', string.format('%.3f', audio))
set(answering and 'an' or 'am', length)
ensure()
local id = call('XADD', AUDIO, '*', 'q', answering and pos + 1 or pos, 'd', ARGV[9])
work()
return done('ok', id, resumed and 1 or 0, due_in)
