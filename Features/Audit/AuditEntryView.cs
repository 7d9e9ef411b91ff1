using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Text.Json;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Audit;

/// <summary>One change as it is listed: who did what to what, when and from where.</summary>
/// <param name="Actor">Who: <c>user:ada@example.com</c>, <c>key:shop</c>, <c>cli:root</c>.</param>
/// <param name="ActorId">Of the user or the key; for a token of another issuer made of the issuer and its subject.</param>
/// <param name="Method">How the actor was proven: <c>session</c>, <c>access_token</c>, <c>issuer_token</c>, <c>api_key</c>, <c>cli</c>, <c>service</c>, or <c>none</c>.</param>
/// <param name="Address">Where the request came from; null for what did not come as one.</param>
/// <param name="Action">The folder of the API and what was done: <c>connections.update</c>.</param>
/// <param name="Target">What it was done to: <c>connections/crm</c>.</param>
public sealed record AuditItem(
    Guid Id,
    DateTime At,
    [property: MaxLength(400)] string Actor,
    Guid? ActorId,
    [property: MaxLength(63)] string Method,
    [property: MaxLength(45)] string? Address,
    [property: MaxLength(200)] string? RequestId,
    [property: MaxLength(100)] string Action,
    [property: MaxLength(400)] string Target,
    Guid? TargetId
) : IExampled<AuditItem>
{
    public static AuditItem Example =>
        new(
            AuditEntryView.Example.Id,
            Story.SetUpAt,
            "key:shop",
            new Guid("0199c89f-1a40-7d3c-8f52-b60e9d174ac3"),
            "api_key",
            "203.0.113.7",
            Story.RequestId,
            "connections.update",
            "connections/crm",
            Story.Connection
        );
}

/// <summary>One change with what was there before and after it.</summary>
/// <param name="Before">As its author would write it, without secrets; null: it was not there, or nothing of it is shown.</param>
/// <param name="After">Likewise; null: it is not there any more.</param>
public sealed record AuditEntryView(
    Guid Id,
    DateTime At,
    [property: MaxLength(400)] string Actor,
    Guid? ActorId,
    [property: MaxLength(63)] string Method,
    [property: MaxLength(45)] string? Address,
    [property: MaxLength(200)] string? RequestId,
    [property: MaxLength(100)] string Action,
    [property: MaxLength(400)] string Target,
    Guid? TargetId,
    JsonElement? Before,
    JsonElement? After
) : IExampled<AuditEntryView>
{
    public static AuditEntryView Example =>
        new(
            new Guid("0199c8a0-c6e8-7b20-94d1-3fe8a56c7b09"),
            Story.SetUpAt,
            "key:shop",
            new Guid("0199c89f-1a40-7d3c-8f52-b60e9d174ac3"),
            "api_key",
            "203.0.113.7",
            Story.RequestId,
            "connections.update",
            "connections/crm",
            Story.Connection,
            Story.Json("""{"name":"crm","kind":"http","config":{"base_url":"https://crm.example.com/v1"}}"""),
            Story.Json("""{"name":"crm","kind":"http","config":{"base_url":"https://crm.example.com/v2"}}""")
        );
}

/// <summary>An entry's row.</summary>
internal sealed record AuditRow(
    Guid Id,
    DateTime At,
    string Actor,
    Guid? ActorId,
    string Method,
    IPAddress? Address,
    string? RequestId,
    string Action,
    string Target,
    Guid? TargetId,
    string? Before,
    string? After
)
{
    public AuditItem ToItem() =>
        new(Id, At, Actor, ActorId, Method, Address?.ToString(), RequestId, Action, Target, TargetId);

    public AuditEntryView ToView() =>
        new(
            Id,
            At,
            Actor,
            ActorId,
            Method,
            Address?.ToString(),
            RequestId,
            Action,
            Target,
            TargetId,
            Parse(Before),
            Parse(After)
        );

    private static JsonElement? Parse(string? json) => json is null ? null : JsonElement.Parse(json);
}
