-- A turn has ended: its text is told, and kept until the answer is stored. Once for each stream and order.
-- KEYS all of lib/session
-- ARGV 1–8 as in lib/session   9 stream   10 order   11 position of the question to which it belongs   12 text, JSON   13 confidence,
--      JSON   14 entry of interview:audio up to which there is text now   15 the turn, JSON
-- Returns { 'ok', …, kept }; not kept: its question is past, or there are very many, and the caller stores it; { 'duplicate', … };
--         { 'stale', … } another stream counts; or a refusal
local MOST = 1024 -- turns that are kept
local first = open(USER, DUPLICATE)
if first then return first end
load()
if not state then return refuse('missing') end
if FINAL[state] then return refuse('ended') end
local f = call('HMGET', SESSION, 'ts', 'to', 'heard', 'tf', 'tn', 'tx')
if f[1] ~= ARGV[9] then return refuse('stale') end
if tonumber(ARGV[10]) <= tonumber(f[2] or -1) then return refuse('duplicate') end
set('to', ARGV[10])
if older(f[3] or '0-0', ARGV[14]) then set('heard', ARGV[14]) end
local at, from, count = tonumber(ARGV[11]), tonumber(f[4] or 1), tonumber(f[5] or 0)
local kept = at >= pos and count - from + 1 < MOST
if kept then
  count = count + 1
  set('tn', count)
  set('t:' .. count, ARGV[15])
  if at > pos and not f[6] then set('tx', count) end
end
tell(CANDIDATE, 'transcription', '{"text":' .. ARGV[12] .. ',"isFinal":true,"confidence":' .. ARGV[13] .. '}')
observed('live-transcript', stamped('"text":' .. ARGV[12] .. ',"isFinal":true'))
return done('ok', kept and 1 or 0)
