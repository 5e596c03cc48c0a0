-- Shared: what the room of an SOS hears, and its whole state. The hot scripts do without.

-- scope_attach and the location scripts do without; all others declare all nine.
local function all_keys()
  LOG, MEMBERS, STATE, LOCATION, TRACK, MESSAGES, EVENTS, OUTBOX = unpack(KEYS, 2, 9)
end

-- To the room, logged; returns id and args.
local function broadcast(event, data)
  local args = '["' .. event .. '",' .. data .. ']'
  return publish('* - - -\n' .. args), args
end

-- To the nodes that listen, never to sockets; logged, so that nobody misses it.
local function control(event, data)
  publish('! - - -\n["' .. event .. '",' .. data .. ']')
end

-- Leaves a copy for those who watch every SOS: those in this room have had theirs.
local function owe(id, args)
  put('w:' .. id, args == '' and '' or '* @' .. SOS .. ' - -\n' .. args)
  owed = 1
end

local function keep_all()
  keep(now, META, LOG, MEMBERS, STATE, LOCATION, TRACK, MESSAGES, EVENTS)
end

local function presence_update()
  local members = {}
  local all = call('HGETALL', MEMBERS)
  for i = 1, #all, 2 do
    if string.byte(all[i]) == 64 then -- '@'
      local role, seen, sockets, shown, user = string.match(all[i + 1], '^(%S+) (%d+) (%d+) (%d) (.*)$')
      local online = sockets ~= '0' or shown == '1'
      members[#members + 1] = '{"userId":' .. cjson.encode(user) .. ',"role":"' .. role .. '","online":' ..
        tostring(online) .. ',"lastSeen":' .. seen .. ',"sockets":' .. sockets .. '}'
    end
  end
  local data = '{"sosId":"' .. SOS .. '","members":[' .. table.concat(members, ',') .. ']}'
  broadcast('presence:update', data)
  outbox('presence', USER, data)
end

-- The first answer with a snapshot of now behind it.
local function with_snapshot(result)
  result[#result + 1] = now
  result[#result + 1] = call('HGETALL', STATE)
  result[#result + 1] = call('HGETALL', LOCATION)
  result[#result + 1] = call('HGETALL', MEMBERS)
  return result
end
