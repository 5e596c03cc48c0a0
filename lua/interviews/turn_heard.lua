-- Audio has its final text, or nothing is said in it: a speech stream that begins later starts behind it.
-- KEYS all of lib/session
-- ARGV 1–8 as in lib/session   9 stream   10 entry of interview:audio
-- Returns { 'ok', … }; { 'stale', … } another stream counts; or a refusal
-- Safe to repeat by itself.
open('', DUPLICATE)
load()
if not state then return answer('missing') end
if FINAL[state] then return answer('ended') end
local f = call('HMGET', SESSION, 'ts', 'heard')
if f[1] ~= ARGV[9] then return answer('stale') end
if older(f[2] or '0-0', ARGV[10]) then
  set('heard', ARGV[10])
  save()
end
return answer('ok')
