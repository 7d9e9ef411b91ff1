using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using FluentValidation;

namespace Bellhop.Features.Sources;

/// <summary>A source as requests meet it, its keys open.</summary>
public sealed record Source(Guid ProjectId, Guid Id, string Name, WebhookScheme Scheme, IReadOnlyList<byte[]> Keys);

/// <summary>A source as it is shown: never its secret.</summary>
/// <param name="InboundPath">Where its webhooks are to be sent. Whoever knows it can send there; without the secret, in vain.</param>
/// <param name="Revision">1, and one more with each change.</param>
public sealed record SourceView(
    Guid Id,
    string Name,
    string Scheme,
    string InboundPath,
    int Revision,
    DateTime CreatedAt,
    DateTime UpdatedAt
) : IRevised;

/// <summary>A source as its author writes it.</summary>
/// <param name="Name">1 to 63 lower-case letters, digits and hyphens; also the source of its events.</param>
/// <param name="Scheme">How the sender signs: <c>github</c> or <c>standard-webhooks</c>.</param>
/// <param name="Secret">What the sender signs with: 8 to 500 characters; of Standard Webhooks <c>whsec_…</c>. Null: a source that is there keeps its own.</param>
public sealed record SourceDocument(string? Name, string? Scheme, string? Secret) : INamedDocument<SourceDocument>
{
    public SourceDocument Named(string name) => this with { Name = name };
}

/// <summary>What makes a document sound.</summary>
public sealed class SourceRules : AbstractValidator<SourceDocument>
{
    public SourceRules()
    {
        RuleFor(document => document.Name!).IsSlug();
        RuleFor(document => document.Scheme)
            .Must(scheme => scheme is not null && WebhookScheme.All.ContainsKey(scheme))
            .WithErrorCode("unknown_scheme")
            .WithMessage($"Known are {string.Join(", ", WebhookScheme.All.Keys.Order())}.");
        RuleFor(document => document.Secret)
            .Must((document, secret) => WebhookScheme.All[document.Scheme!].KeyOf(secret!) is not null)
            .When(document =>
                document.Secret is not null
                && document.Scheme is not null
                && WebhookScheme.All.ContainsKey(document.Scheme)
            )
            .WithErrorCode("invalid_secret")
            .WithMessage(document => $"A secret here is {WebhookScheme.All[document.Scheme!].SecretForm}.");
    }
}
