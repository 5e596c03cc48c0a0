-- A member writes the shared document of a call anew, if it knew the version that is kept.
-- KEYS 1 scope:meta   2 scope:members   3 interview:call   4 document (a string)
-- ARGV 1–11 as in rooms/lib/room.lua (2: its clientMessageId)   12 version   13 document (a JSON string)
-- Returns { 'ok', …, version }; { 'conflict', …, version that is kept, its writer, the document (JSON, '' none) } or
--         { 'not_member', … }
-- What goes out is volatile: a newer document replaces an older one, and a member that may have missed one gets the one that is kept.
MEMBERS, CALL = KEYS[2], KEYS[3]
local first = open(KEY, DUPLICATE)
if first then return first end
if call('HEXISTS', MEMBERS, SID) == 0 then return answer('not_member') end
local r = call('HMGET', CALL, 'ev', 'es')
local kept, version = tonumber(r[1] or 0), tonumber(ARGV[12])
if version ~= kept + 1 then
  local document = r[1] and call('GET', KEYS[4]) or ''
  -- A repeat of what was taken is no conflict.
  if version == kept and r[2] == SID and document == ARGV[13] then return answer('ok', version) end
  return answer('conflict', kept, r[2] or '', document)
end
call('SET', KEYS[4], ARGV[13], 'PX', KEEP_MS)
call('HSET', CALL, 'ev', version, 'es', SID)
publish_volatile('* ' .. SID .. ' editor -\n["editor:update",{"socketId":"' .. SID .. '","update":' .. ARGV[13] ..
  ',"version":' .. version .. '}]')
live_on(CALL)
local result = answer('ok', version)
remember(result, KEY, true)
commit()
return result
