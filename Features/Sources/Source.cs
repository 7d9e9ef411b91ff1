namespace Bellhop.Features.Sources;

/// <summary>A source as requests meet it, its keys open.</summary>
public sealed record Source(Guid ProjectId, Guid Id, string Name, WebhookScheme Scheme, IReadOnlyList<byte[]> Keys);

/// <summary>A source as it is shown: never its secret.</summary>
/// <param name="InboundPath">Where its webhooks are to be sent. Whoever knows it can send there; without the secret, in vain.</param>
public sealed record SourceView(Guid Id, string Name, string Scheme, string InboundPath, DateTime CreatedAt);
