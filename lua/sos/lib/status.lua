-- Shared: the transition table, and the end of an SOS. Contract § 3 "Status".

local NEXT = {
  active = 'assigned cancelled closed',
  assigned = 'en_route responding active cancelled closed',
  en_route = 'arrived responding assigned cancelled closed',
  arrived = 'responding resolved closed',
  responding = 'resolved closed',
  resolved = 'completed closed',
  completed = 'closed',
  cancelled = '', rejected = '', fake = '', closed = '',
}
local RANK = { active = 1, assigned = 2, en_route = 3, arrived = 4, responding = 5, resolved = 6, completed = 7 }

local function may_follow(from, to)
  return string.find(' ' .. NEXT[from] .. ' ', ' ' .. to .. ' ', 1, true) ~= nil
end

-- Tells room, watchers and outbox. `responder` is { user, status } if a responder's entry moved.
local function status_changed(status, old, by, note, responder)
  local data = '{"sosId":"' .. SOS .. '","status":"' .. status .. '","oldStatus":"' .. old .. '","updatedBy":' .. json(by)
  if responder then data = data .. ',"responderId":' .. json(responder[1]) .. ',"responderStatus":"' .. responder[2] .. '"' end
  if note and note ~= '' then data = data .. ',"note":' .. json(note) end
  data = data .. ',"timestamp":' .. now .. '}'
  tell_watchers(broadcast('sos:status:broadcast', data))
  outbox('sos:status', by, data)
end

-- Ends the SOS: final status, broadcasts, an empty room. Its keys live for another hour (last_hour).
local function finish(status, old, by, reason, note, expired)
  flush_all(0, 128, true) -- if there are more, the sweep sends the others to the SOS service
  call('HSET', STATE, 'status', status, 'closedAt', now, 'closedBy', by, 'reason', reason or '', 'updatedAt', now, 'touched', now)
  status_changed(status, old, by, note)
  local data = '{"sosId":"' .. SOS .. '","status":"' .. status .. '","closedBy":' .. json(by) .. ',"reason":' ..
    json(reason) .. ',"timestamp":' .. now .. '}'
  tell_watchers(broadcast('sos:close', data))
  outbox('sos:close', by, data)
  if expired then
    local over = '{"sosId":"' .. SOS .. '","timestamp":' .. now .. '}'
    broadcast('sos:expired', over)
    outbox('sos:expired', by, over)
  end
  audit('close', reason, status, old)
  control('ended', '{}')
  call('DEL', MEMBERS)
  call('HSET', MEMBERS, '_', '')
  put('end', '1')
  put('pw', '') -- presence is announced no more: the room is empty
  put('kt', now + 1e10) -- TTLs are renewed no more
end

-- After an end: every key of the SOS lives for another hour. Called after `commit`, when scope:meta surely exists.
local function last_hour()
  for _, key in ipairs({ META, LOG, MEMBERS, STATE, LOCATION, TRACK, MESSAGES, EVENTS }) do call('PEXPIRE', key, 3600000) end
end
