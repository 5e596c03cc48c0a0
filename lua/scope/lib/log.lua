-- Shared: the log of a scope, who listens to it, and how long its keys live. The hot scripts do without.

-- Ids never go back, whatever the clock does.
local function next_id()
  local ms, seq = string.match(last, '^(%d+)-(%d+)$')
  ms = tonumber(ms)
  if now > ms then return now .. '-0' end
  return ms .. '-' .. (seq + 1)
end

local function trim()
  put('tt', now + 5000)
  local limit = now - ARGV[4]
  if limit <= 0 then return end
  local gone = call('XREVRANGE', LOG, '(' .. string.format('%.0f', limit) .. '-0', '-', 'COUNT', 1)[1]
  if gone then
    put('trim', gone[1])
    call('XTRIM', LOG, 'MINID', '~', string.format('%.0f', limit))
  end
end

local function older(a, b)
  local a1, a2 = string.match(a, '^(%d+)-(%d+)$')
  local b1, b2 = string.match(b, '^(%d+)-(%d+)$')
  a1, a2, b1, b2 = tonumber(a1), tonumber(a2), tonumber(b1), tonumber(b2)
  return a1 < b1 or (a1 == b1 and a2 < b2)
end

-- A log has so many bytes at most, whatever its members say while it is kept: then the oldest go. After each MARK bytes `lm:<n>` notes
-- the entry with which they were full, so that it is known where the oldest end.
local MARK, MARKS, ENTRY = 1048576, 64, 128 -- ENTRY: what an entry takes beside its body
local logged -- bytes that were logged since the log began

local function count(id, bytes)
  logged = logged or tonumber(meta[11] or 0)
  local before = math.floor(logged / MARK)
  logged = logged + bytes + ENTRY
  put('lb', string.format('%.0f', logged))
  local full = math.floor(logged / MARK)
  if full == before then return end
  put('lm:' .. full, id)
  for n = before + 1 - MARKS, full - MARKS do
    local old = call('HGET', META, 'lm:' .. n)
    if old then
      call('HDEL', META, 'lm:' .. n)
      if older(call('HGET', META, 'trim') or '0-0', old) then
        put('trim', old)
        call('XTRIM', LOG, 'MINID', '~', old)
      end
    end
  end
end

-- Publishes and logs; returns the id.
local function publish(body)
  ensure()
  local id = next_id()
  call('XADD', LOG, id, 'b', body)
  spublish(id, body)
  count(id, #body)
  last = id
  put('last', id)
  if now >= tonumber(meta[4] or 0) then
    trim()
    meta[4] = now + 5000
  end
  return id
end

-- Registers a node that listens.
local function listen(node)
  if call('HSETNX', META, 'n:' .. node, now) == 1 then
    listeners = listeners + 1
    put('nl', listeners)
  end
end

-- Renews TTLs, at most every ten minutes; `at` is the moment from which they count.
local function keep(at, ...)
  if now < tonumber(meta[8] or 0) then return end
  put('kt', now + 600000)
  commit()
  pending = {}
  for _, key in ipairs({ ... }) do call('PEXPIREAT', key, string.format('%.0f', at + KEEP_MS)) end
end

-- Most entries taken from the log at once, and bytes of bodies after which an answer ends: nobody else is served meanwhile.
local CHUNK, REPLY_BYTES = 64, 524288

-- Appends to { epoch, last, trimmed, reset, more } what was logged after a cursor, or says that it does not stand here.
local function log_after(result, cursor_epoch, cursor, limit)
  if cursor_epoch ~= result[1] or older(cursor, result[3]) or older(result[2], cursor) then
    result[4] = 1
    return result
  end
  if cursor == result[2] then return result end
  -- A failover has taken back what stood at the cursor, and perhaps put something before it.
  if cursor ~= '0-0' and cursor ~= result[3] and not call('XRANGE', LOG, cursor, cursor)[1] then
    result[4] = 1
    return result
  end
  local from, count, bytes, take = '(' .. cursor, 0, 0, 8
  while true do
    local entries = call('XRANGE', LOG, from, '+', 'COUNT', take)
    for _, entry in ipairs(entries) do
      if count == limit or bytes >= REPLY_BYTES then
        result[5] = 1
        return result
      end
      result[#result + 1] = entry[1]
      result[#result + 1] = entry[2][2]
      from, count, bytes = '(' .. entry[1], count + 1, bytes + #entry[2][2]
    end
    if #entries < take then return result end
    take = math.max(1, math.min(CHUNK, math.floor((REPLY_BYTES - bytes) / (bytes / count))))
  end
end
