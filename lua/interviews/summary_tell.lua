-- The summary of a completed interview goes out to those who observe, once.
-- KEYS all of lib/session
-- ARGV 1–8 as in lib/session   9 summary, JSON
-- Returns { 'ok', … }; { 'repeated', … }; { 'not_completed', … }; { 'missing', … }
local first = open(USER, DUPLICATE)
if first then return first end
load()
if not state then return refuse('missing') end
if state ~= 'completed' then return refuse('not_completed') end
if call('HSETNX', SESSION, 'summary', 1) == 0 then return refuse('repeated') end
observed('interview-completed', stamped('"summary":' .. ARGV[9]))
return done('ok')
