-- Speech to text or the storage of audio is away, or back: told once for each time.
-- KEYS all of lib/session
-- ARGV 1–8 as in lib/session   9 which: stt or storage   10 it is back ('1' or '')   11 reason, JSON
-- Returns { 'ok' or 'unchanged', … } or { 'missing', … }
local first = open(USER, DUPLICATE)
if first then return first end
load()
if not state then return refuse('missing') end
local back, is_down = ARGV[10] == '1', call('HEXISTS', SESSION, ARGV[9]) == 1
if back ~= is_down or FINAL[state] then return refuse('unchanged') end
if back then
  remove(ARGV[9])
  if ARGV[9] == 'stt' then observed('stt-available', stamped(''), BOTH) end
else
  set(ARGV[9], 'down')
  observed(ARGV[9] .. '-unavailable', stamped('"reason":' .. ARGV[11]), ARGV[9] == 'stt' and BOTH or OBSERVER)
end
return done('ok')
