-- Adds to a counter, or resets it when that is due, and tells all members; or only looks at it.
-- KEYS 1 scope:meta   2 scope:log   3 scope:due   4 scope:members   5 counter:value
-- ARGV 1–6 as in lib/scope.lua   7 what to add, 'reset', or '' to look only   8 who, as JSON
-- Returns { value, ms until the reset or -1, heard, listeners, users who are here (when looking) … }
LOG, MEMBERS = KEYS[2], KEYS[4]
local first = open('', 0)
if first then return first end
due_open(KEYS[3])
local value = tonumber(call('GET', KEYS[5]) or 0)
if ARGV[7] == '' then
  local result = { value, -1, -1, 0 }
  local fields = call('HGETALL', MEMBERS)
  for i = 1, #fields, 2 do
    local user = string.sub(fields[i], 1, 1) == '@' and user_of(fields[i + 1])
    if user and user.sockets > 0 then result[#result + 1] = user.user end
  end
  return result
end
if ARGV[7] == 'reset' then
  local at = tonumber(call('ZSCORE', DUE, 'reset') or 0)
  if at > now then return { value, at - now, -1, 0 } end
  due_clear('reset')
  value = 0
else
  value = value + ARGV[7]
end
call('SET', KEYS[5], value, 'PX', KEEP_MS)
publish('* - - -\n["count",{"value":' .. value .. ',"by":' .. ARGV[8] .. '}]')
local result = { value, -1, least, listeners }
remember(result, '', true)
keep(now, META, LOG)
commit()
return result
