-- Shared: a page of an audit trail (lib/audit.lua), ascending. Needs nothing else.

-- Appends to `result` the entries after an id: { id, event, user, role, socket, source, time, note, status, old }. Sets
-- result[2] to 1 if there are more. Ends early after `most` bytes of notes.
local function audit_after(result, stream, after, limit, most)
  local CHUNK = 32 -- entries that are read at once
  local count, bytes = 0, 0
  repeat
    local chunk = redis.call('XRANGE', stream, '(' .. after, '+', 'COUNT', CHUNK)
    for _, entry in ipairs(chunk) do
      if count == limit or bytes >= most then
        result[2] = 1
        return result
      end
      local line, f = { entry[1] }, entry[2]
      for i = 2, 18, 2 do line[#line + 1] = f[i] end
      result[#result + 1] = line
      count, after, bytes = count + 1, entry[1], bytes + #f[14]
    end
  until #chunk < CHUNK
  return result
end
