-- What benchmarks/shapes.py compares with: statements as one would write them by hand for a query's very answer, in
-- several ways, of which the fastest counts. What stands behind `limit` is a parameter, or its value as a literal. The
-- limits of one row keep PostgreSQL from building the view's document once for each field.

-- list, document: rows
select array_to_json(array(
  select r from (
    select id::text, data->>'name' as name, data->>'email' as email
    from (select id, data from v_user order by id limit $1) u
  ) r
));

-- list, document: json_agg
select json_agg(json_build_object('id', id::text, 'name', data->>'name', 'email', data->>'email'))
from (select id, data from v_user order by id limit $1) u;

-- list, document: text
select '[' || string_agg(
  '{"id":"' || id || '","name":' || (data->'name')::text || ',"email":' || (data->'email')::text || '}', ','
) || ']'
from (select id, data from v_user order by id limit $1) u;

-- by id, document: rows
select row_to_json(r)
from (
  select id::text, data->>'name' as name, data->>'email' as email
  from (select id, data from v_user where id = $1 limit 1) u
) r;

-- by id, document: json_build_object
select json_build_object('id', id::text, 'name', data->>'name', 'email', data->>'email')
from (select id, data from v_user where id = $1 limit 1) u;

-- by id, document: text
select '{"id":"' || id || '","name":' || (data->'name')::text || ',"email":' || (data->'email')::text || '}'
from (select id, data from v_user where id = $1 limit 1) u;

-- to-many, document: rows
select array_to_json(array(
  select r from (
    select id::text, data->>'name' as name, array(
      select p from (
        select id::text, title, created_at as "createdAt"
        from posts where author_id = u.id order by posts.id desc limit $1
      ) p
    ) as posts
    from (select id, data from v_user order by id limit $2) u
  ) r
));

-- to-many, document: json_agg
select json_agg(json_build_object('id', id::text, 'name', data->>'name', 'posts', (
  select coalesce(json_agg(json_build_object('id', id::text, 'title', title, 'createdAt', created_at)), '[]')
  from (select id, title, created_at from posts where author_id = u.id order by id desc limit $1) p
)))
from (select id, data from v_user order by id limit $2) u;

-- to-many, document: text
select '[' || string_agg('{"id":"' || id || '","name":' || (data->'name')::text || ',"posts":[' || coalesce((
  select string_agg(
    '{"id":"' || id || '","title":' || to_json(title) || ',"createdAt":' || to_json(created_at) || '}', ','
  )
  from (select id, title, created_at from posts where author_id = u.id order by id desc limit $1) p
), '') || ']}', ',') || ']'
from (select id, data from v_user order by id limit $2) u;

-- three levels, document: rows
select array_to_json(array(
  select r from (
    select id::text, data->>'name' as name, array(
      select p from (
        select id::text, title, array(
          select c from (
            select id::text, body, likes from comments where post_id = posts.id order by comments.id limit $1
          ) c
        ) as comments
        from posts where author_id = u.id order by posts.id limit $2
      ) p
    ) as posts
    from (select id, data from v_user order by id limit $3) u
  ) r
));

-- three levels, document: json_agg
select json_agg(json_build_object('id', id::text, 'name', data->>'name', 'posts', (
  select coalesce(json_agg(json_build_object('id', id::text, 'title', title, 'comments', (
    select coalesce(json_agg(json_build_object('id', id::text, 'body', body, 'likes', likes)), '[]')
    from (select id, body, likes from comments where post_id = p.id order by id limit $1) c
  ))), '[]')
  from (select id, title from posts where author_id = u.id order by id limit $2) p
)))
from (select id, data from v_user order by id limit $3) u;

-- three levels, document: text
select '[' || string_agg('{"id":"' || id || '","name":' || (data->'name')::text || ',"posts":[' || coalesce((
  select string_agg('{"id":"' || id || '","title":' || to_json(title) || ',"comments":[' || coalesce((
    select string_agg('{"id":"' || id || '","body":' || to_json(body) || ',"likes":' || likes || '}', ',')
    from (select id, body, likes from comments where post_id = p.id order by id limit $1) c
  ), '') || ']}', ',')
  from (select id, title from posts where author_id = u.id order by id limit $2) p
), '') || ']}', ',') || ']'
from (select id, data from v_user order by id limit $3) u;

-- seven types, document: rows
select array_to_json(array(
  select r from (
    select
      id::text,
      data->>'name' as name,
      case data->>'role' when 'admin' then 'ADMIN' when 'editor' then 'EDITOR' when 'author' then 'AUTHOR'
        else 'READER' end as role,
      data->'is_active' as active,
      data->'karma' as karma,
      data->'rating' as rating,
      data->'birthday' as birthday,
      data->'created_at' as "createdAt"
    from (select id, data from v_user order by id limit $1) u
  ) r
));

-- seven types, document: json_agg
select json_agg(json_build_object(
  'id', id::text,
  'name', data->>'name',
  'role', case data->>'role' when 'admin' then 'ADMIN' when 'editor' then 'EDITOR' when 'author' then 'AUTHOR'
    else 'READER' end,
  'active', data->'is_active',
  'karma', data->'karma',
  'rating', data->'rating',
  'birthday', data->'birthday',
  'createdAt', data->'created_at'
))
from (select id, data from v_user order by id limit $1) u;

-- seven types, document: text
select '[' || string_agg(
  '{"id":"' || id
  || '","name":' || (data->'name')::text
  || ',"role":' || '"'
  || case data->>'role' when 'admin' then 'ADMIN' when 'editor' then 'EDITOR' when 'author' then 'AUTHOR' else 'READER' end
  || '"'
  || ',"active":' || (data->'is_active')::text
  || ',"karma":' || (data->'karma')::text
  || ',"rating":' || (data->'rating')::text
  || ',"birthday":' || (data->'birthday')::text
  || ',"createdAt":' || (data->'created_at')::text || '}', ','
) || ']'
from (select id, data from v_user order by id limit $1) u;

-- list, columns: rows
select array_to_json(array(
  select r from (select id::text, name, email from (select id, name, email from users order by id limit $1) u) r
));

-- list, columns: json_agg
select json_agg(json_build_object('id', id::text, 'name', name, 'email', email))
from (select id, name, email from users order by id limit $1) u;

-- list, columns: text
select '[' || string_agg(
  '{"id":"' || id || '","name":' || to_json(name)::text || ',"email":' || coalesce(to_json(email)::text, 'null') || '}',
  ','
) || ']'
from (select id, name, email from users order by id limit $1) u;

-- by id, columns: rows
select row_to_json(r)
from (select id::text, name, email from users where id = $1) r;

-- by id, columns: json_build_object
select json_build_object('id', id::text, 'name', name, 'email', email)
from users where id = $1;

-- by id, columns: text
select '{"id":"' || id || '","name":' || to_json(name)::text
  || ',"email":' || coalesce(to_json(email)::text, 'null') || '}'
from users where id = $1;

-- to-many, columns: rows
select array_to_json(array(
  select r from (
    select id::text, name, array(
      select p from (
        select id::text, title, created_at as "createdAt"
        from posts where author_id = u.id order by posts.id desc limit $1
      ) p
    ) as posts
    from (select id, name, email from users order by id limit $2) u
  ) r
));

-- to-many, columns: json_agg
select json_agg(json_build_object('id', id::text, 'name', name, 'posts', (
  select coalesce(json_agg(json_build_object('id', id::text, 'title', title, 'createdAt', created_at)), '[]')
  from (select id, title, created_at from posts where author_id = u.id order by id desc limit $1) p
)))
from (select id, name, email from users order by id limit $2) u;

-- to-many, columns: text
select '[' || string_agg('{"id":"' || id || '","name":' || to_json(name)::text || ',"posts":[' || coalesce((
  select string_agg(
    '{"id":"' || id || '","title":' || to_json(title) || ',"createdAt":' || to_json(created_at) || '}', ','
  )
  from (select id, title, created_at from posts where author_id = u.id order by id desc limit $1) p
), '') || ']}', ',') || ']'
from (select id, name, email from users order by id limit $2) u;

-- three levels, columns: rows
select array_to_json(array(
  select r from (
    select id::text, name, array(
      select p from (
        select id::text, title, array(
          select c from (
            select id::text, body, likes from comments where post_id = posts.id order by comments.id limit $1
          ) c
        ) as comments
        from posts where author_id = u.id order by posts.id limit $2
      ) p
    ) as posts
    from (select id, name, email from users order by id limit $3) u
  ) r
));

-- three levels, columns: json_agg
select json_agg(json_build_object('id', id::text, 'name', name, 'posts', (
  select coalesce(json_agg(json_build_object('id', id::text, 'title', title, 'comments', (
    select coalesce(json_agg(json_build_object('id', id::text, 'body', body, 'likes', likes)), '[]')
    from (select id, body, likes from comments where post_id = p.id order by id limit $1) c
  ))), '[]')
  from (select id, title from posts where author_id = u.id order by id limit $2) p
)))
from (select id, name, email from users order by id limit $3) u;

-- three levels, columns: text
select '[' || string_agg('{"id":"' || id || '","name":' || to_json(name)::text || ',"posts":[' || coalesce((
  select string_agg('{"id":"' || id || '","title":' || to_json(title) || ',"comments":[' || coalesce((
    select string_agg('{"id":"' || id || '","body":' || to_json(body) || ',"likes":' || likes || '}', ',')
    from (select id, body, likes from comments where post_id = p.id order by id limit $1) c
  ), '') || ']}', ',')
  from (select id, title from posts where author_id = u.id order by id limit $2) p
), '') || ']}', ',') || ']'
from (select id, name, email from users order by id limit $3) u;

-- seven types, columns: rows
select array_to_json(array(
  select r from (
    select
      id::text,
      name,
      case role when 'admin' then 'ADMIN' when 'editor' then 'EDITOR' when 'author' then 'AUTHOR'
        else 'READER' end as role,
      active,
      karma,
      rating,
      birthday,
      created_at as "createdAt"
    from (select id, name, role, active, karma, rating, birthday, created_at from users order by id limit $1) u
  ) r
));

-- seven types, columns: json_agg
select json_agg(json_build_object(
  'id', id::text,
  'name', name,
  'role', case role when 'admin' then 'ADMIN' when 'editor' then 'EDITOR' when 'author' then 'AUTHOR' else 'READER' end,
  'active', active,
  'karma', karma,
  'rating', rating,
  'birthday', birthday,
  'createdAt', created_at
))
from (select id, name, role, active, karma, rating, birthday, created_at from users order by id limit $1) u;

-- seven types, columns: text
select '[' || string_agg(
  '{"id":"' || id
  || '","name":' || to_json(name)::text
  || ',"role":' || '"'
  || case role when 'admin' then 'ADMIN' when 'editor' then 'EDITOR' when 'author' then 'AUTHOR' else 'READER' end
  || '"'
  || ',"active":' || case when active then 'true' else 'false' end
  || ',"karma":' || karma::text
  || ',"rating":' || coalesce(rating::text, 'null')
  || ',"birthday":' || coalesce(to_json(birthday)::text, 'null')
  || ',"createdAt":' || to_json(created_at)::text || '}', ','
) || ']'
from (select id, name, role, active, karma, rating, birthday, created_at from users order by id limit $1) u;
