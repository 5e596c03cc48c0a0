-- Publishes one message, and logs it unless it is volatile.
-- KEYS 1 scope:meta   2 scope:log (logged messages only)
-- ARGV 1–6 as in lib/scope.lua   7 sender's user key   8 logged ('1' or '')   9 body
--      10 only if this is the newest logged id (may be left out)
-- Returns { id or '', heard, listeners, duplicate }; { '-' } if it is another
LOG = KEYS[2]
local first = open(ARGV[7], 4)
if first then return first end
if ARGV[10] and ARGV[10] ~= last then return { '-' } end
local id = ''
if ARGV[8] == '1' then id = publish(ARGV[9]) else publish_volatile(ARGV[9]) end
local result = { id, least, listeners, 0 }
remember(result, ARGV[7], true)
if LOG then keep(now, META, LOG) end
commit()
return result
