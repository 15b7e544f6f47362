sane(KEYS[2], 'hash')
local out = {c = {}}
for i, item in ipairs(call.items) do
  local key = KEYS[3 + i]
  local fresh = load(key).uid ~= item.uid
  if fresh then
    -- Another object than the one on record: its counters begin where Kubernetes left them.
    redis.call('DEL', key)
    redis.call('HSET', key, 'claim', int(now), 'n', int(item.n), 'uid', item.uid, 'name', item.name,
      'ns', item.ns, 'storm', item.storm, 'occ', int(item.occ), 'del', int(item.del), 'last', int(now),
      'new', int(item.new))
    for _, e in ipairs(item.e) do
      -- 0 is no time: a firing from before 1970 is counted as well.
      if item.new ~= 0 and e <= item.new then redis.call('HSET', key, 'e:' .. int(e), '1') end
    end
  end
  out.c[i] = count(key, item, fresh and item.storm ~= '')
end
out.corrupt = corrupt
return cjson.encode(out)
