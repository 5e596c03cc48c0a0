-- A speech stream begins: from here on its turns count, and those of no other.
-- KEYS all of lib/session
-- ARGV 1–8 as in lib/session   9 stream
-- Returns { 'ok', …, id of the entry behind which its audio begins }, or a refusal
-- Safe to repeat by itself.
open('', DUPLICATE)
load()
if not state then return answer('missing') end
if FINAL[state] then return answer('ended') end
local f = call('HMGET', SESSION, 'ts', 'heard')
if f[1] ~= ARGV[9] then
  set('ts', ARGV[9])
  set('to', -1)
  save()
end
return answer('ok', f[2] or '0-0')
