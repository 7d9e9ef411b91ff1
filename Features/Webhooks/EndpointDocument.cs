using System.ComponentModel.DataAnnotations;
using Bellhop.Features.Events;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Bellhop.Infrastructure.Outgoing;
using FluentValidation;
using FluentValidation.Results;

namespace Bellhop.Features.Webhooks;

/// <summary>A webhook endpoint as its author writes it.</summary>
/// <param name="Name">1 to 63 lower-case letters, digits and hyphens.</param>
/// <param name="Url">https on port 443; http, other ports and private addresses only in networks the operator allows.</param>
/// <param name="EventTypes">1 to 100: a type, <c>a.b.*</c> for what stands below <c>a.b</c>, or <c>*</c>.</param>
/// <param name="Enabled">False: matching events make deliveries that are never sent; null: true.</param>
/// <param name="Retry">Null: ten attempts over 75 hours. No attempt is made after seven days.</param>
/// <param name="Concurrency">How many requests may be open at once, 1 to 100; null: 10.</param>
/// <param name="Secret"><c>whsec_</c> and 24 to 64 bytes in base64. Null: one is made for a new endpoint, and one that is there keeps its own.</param>
/// <param name="Tags">Up to 20 slugs, by which members and keys may be narrowed to some endpoints and their deliveries.</param>
public sealed record EndpointDocument(
    string? Name,
    [property: MaxLength(AddressPolicy.MaxUrlLength)] string? Url,
    [property: Each(EventTypePattern.MaxLength)] IReadOnlyList<string>? EventTypes,
    bool? Enabled = null,
    RetryPolicy? Retry = null,
    short? Concurrency = null,
    [property: MaxLength(EndpointSecret.MaxLength)] string? Secret = null,
    IReadOnlyList<string>? Tags = null
) : INamedDocument<EndpointDocument>, ITagged, IExampled<EndpointDocument>
{
    public static EndpointDocument Example =>
        new("crm", "https://crm.example.com/hooks/bellhop", ["ticket.*"], Concurrency: 10);

    public EndpointDocument Named(string name) => this with { Name = name };
}

/// <summary>What makes a document sound.</summary>
public sealed class EndpointRules : AbstractValidator<EndpointDocument>
{
    private const int MaxEventTypes = 100;

    public EndpointRules(AddressPolicy addresses)
    {
        RuleFor(document => document.Name!).IsSlug();
        RuleFor(document => document.Url)
            .Custom(
                (url, context) =>
                {
                    if (url is null)
                    {
                        context.AddFailure(
                            new ValidationFailure(context.PropertyPath, "url is required.") { ErrorCode = "required" }
                        );
                    }
                    else if (addresses.CheckUrl(url).ErrorCode is { } code)
                    {
                        context.AddFailure(
                            new ValidationFailure(context.PropertyPath, "Webhooks may not go to this URL.")
                            {
                                ErrorCode = code,
                            }
                        );
                    }
                }
            );
        this.AreTags(document => document.Tags);
        RuleFor(document => document.EventTypes).HasItems(1, MaxEventTypes);
        RuleForEach(document => document.EventTypes)
            .Must(type => EventTypePattern.Parse(type) is not null)
            .WithErrorCode("invalid_event_type")
            .WithMessage("An event type is a name, a name and .*, or *.");
        RuleFor(document => document.Retry).SetValidator(new RetryPolicyRules()!);
        RuleFor(document => document.Concurrency).InclusiveBetween((short)1, (short)100);
        RuleFor(document => document.Secret)
            .Must(secret => secret is null || EndpointSecret.KeyOf(secret) is not null)
            .WithErrorCode("invalid_secret")
            .WithMessage("A secret is whsec_ and 24 to 64 bytes in base64.");
    }
}
