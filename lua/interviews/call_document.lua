-- The shared document of a call as it is kept; changes nothing.
-- KEYS 1 interview:call   2 document (a string)
-- Returns { version (0 none), its writer, the document (JSON, '' none) }
local r = redis.call('HMGET', KEYS[1], 'ev', 'es')
if not r[1] then return { 0, '', '' } end
return { tonumber(r[1]), r[2], redis.call('GET', KEYS[2]) or '' }
