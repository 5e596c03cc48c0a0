-- Shared: the messages of a room, a stream of its own. Needs scope/lib/scope. An entry is u (user) r (role) t (text)
-- c (clientMessageId) s (time) and, where the feature says more of a sender, j (fields of a JSON object).

local function add_message(stream, id, user, role, text, client_id, sender)
  call('XADD', stream, 'MAXLEN', '~', 5000, id, 'u', user, 'r', role, 't', text, 'c', client_id, 's', now,
    unpack(sender and { 'j', sender } or {}))
end

-- The payload of the broadcast. `head` and `sender` are fields of a JSON object.
local function message_json(head, id, client_id, sender, text)
  return '{' .. head .. ',"messageId":"' .. id .. '","clientMessageId":' ..
    (client_id == '' and 'null' or cjson.encode(client_id)) .. ',' .. sender .. ',"text":' .. cjson.encode(text) ..
    ',"timestamp":' .. now .. '}'
end

-- { 'ok', next before or '', message, … } with the messages before an id ('' the newest), ascending; a message is { id, user,
-- role, text, clientMessageId, time, sender's fields if kept }. Ends early after `most` bytes of texts, one message at least.
local function messages_before(stream, before, limit, most)
  local CHUNK = 16 -- messages that are read at once
  local bytes, newest, more = 0, {}, false
  before = before == '' and '+' or '(' .. before
  repeat
    local chunk = call('XREVRANGE', stream, before, '-', 'COUNT', CHUNK)
    for _, entry in ipairs(chunk) do
      more = #newest == limit or bytes >= most
      if more then break end
      local f = entry[2]
      newest[#newest + 1] = { entry[1], f[2], f[4], f[6], f[8], f[10], f[12] }
      before, bytes = '(' .. entry[1], bytes + #f[6]
    end
  until more or #chunk < CHUNK
  local result = { 'ok', more and newest[#newest][1] or '' }
  for i = #newest, 1, -1 do result[#result + 1] = newest[i] end
  return result
end
