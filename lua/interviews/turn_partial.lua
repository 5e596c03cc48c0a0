-- What a turn says so far: to the candidate and to those who observe, volatile.
-- KEYS all of lib/session
-- ARGV 1–8 as in lib/session   9 stream   10 text, JSON   11 confidence, JSON
-- Returns { 'ok', … }; { 'stale', … } another stream counts; or a refusal
-- Safe to repeat by itself.
open('', DUPLICATE)
load()
if not state then return answer('missing') end
if FINAL[state] then return answer('ended') end
if call('HGET', SESSION, 'ts') ~= ARGV[9] then return answer('stale') end
-- A newer one replaces it in a queue, also of one who observes several interviews.
local key = ' - transcript:' .. string.match(META, '{(.*)}$') .. ' -\n'
publish_volatile(CANDIDATE .. key .. '["transcription",{"text":' .. ARGV[10] .. ',"isFinal":false,"confidence":' .. ARGV[11] .. '}]')
publish_volatile(OBSERVER .. key .. '["live-transcript",' .. stamped('"text":' .. ARGV[10] .. ',"isFinal":false') .. ']')
commit()
return answer('ok')
